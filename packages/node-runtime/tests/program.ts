// Started by the test: pretends that this Node is too old, so that the program is started once more.
import { onSuitableNode } from '../src/on-suitable-node';

onSuitableNode(
  async () => {
    process.on('SIGTERM', () => process.exit(7));
    const held = setInterval(() => undefined, 1_000);
    process.once('exit', () => clearInterval(held));
    console.log(`running ${process.pid}`);
  },
  { needed: '999.0.0' },
);
