/** The control API was asked for something that cannot be done in this state. */
export class SimulatorError extends Error {
  constructor(
    message: string,
    /** HTTP status of the answer. */
    readonly status: number = 409,
  ) {
    super(message);
    this.name = 'SimulatorError';
  }
}
