/** Which API calls came in, for the books and for tests of a caller's manners. */
export class ApiLog {
  #byEndpoint = new Map<string, number>();
  #byStatus = new Map<string, number>();
  #perSecond = new Map<number, number>();

  /** `endpoint` is method and pattern, for example `GET /v1/events/:id`. */
  note(endpoint: string): void {
    const second = Math.floor(Date.now() / 1000);
    this.#byEndpoint.set(endpoint, (this.#byEndpoint.get(endpoint) ?? 0) + 1);
    this.#perSecond.set(second, (this.#perSecond.get(second) ?? 0) + 1);
  }

  /** `outcome` is the HTTP status, or the trouble that kept an answer away. */
  conclude(outcome: string): void {
    this.#byStatus.set(outcome, (this.#byStatus.get(outcome) ?? 0) + 1);
  }

  summary(): ApiLogSummary {
    const perSecond = [...this.#perSecond.values()];
    return {
      total: perSecond.reduce((sum, calls) => sum + calls, 0),
      peakPerSecond: Math.max(0, ...perSecond),
      byEndpoint: Object.fromEntries(this.#byEndpoint),
      byStatus: Object.fromEntries(this.#byStatus),
    };
  }

  clear(): void {
    this.#byEndpoint = new Map();
    this.#byStatus = new Map();
    this.#perSecond = new Map();
  }
}

export interface ApiLogSummary {
  total: number;
  /** Calls in the busiest second of the machine's clock. */
  peakPerSecond: number;
  byEndpoint: Record<string, number>;
  byStatus: Record<string, number>;
}
