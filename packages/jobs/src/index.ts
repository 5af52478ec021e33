export {
  catalogue,
  effectJob,
  eventJob,
  type JobData,
  type NewJob,
  type QueueName,
  queueNames,
  queuePrefix,
  replayJob,
  runJob,
} from './catalogue';
export { createFailedBoard, type FailedBoard, type FailedEntry } from './failed-board';
export { createJobWorker, type JobEnding, type JobWorker } from './job-worker';
export { createProducer, type Producer, QueueUnavailableError } from './producer';
export { connectForCommands, connectForWorkers, disconnect } from './redis-connection';
export { restoreSchedules, type Schedule } from './schedules';
export { type SweepCounts, type SweepSource, type SweptRow, sweepOnce } from './sweep';
