export { onSuitableNode } from './on-suitable-node';
export { findNode, NODE_NEEDED, suits } from './suitable-node';
