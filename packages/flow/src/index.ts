export {
  type BoundFlow,
  type Decision,
  defineFlow,
  type Finding,
  type Flow,
  type FlowDefinition,
  type FlowEnding,
  type FlowEvent,
} from './define-flow';
export { createRoad, type PeerFailure, type Road, type RoadEnding, type RoadOptions } from './road';
