// Read by dependency-cruiser only: how an import of a workspace package is resolved to its source.
const { workspaceSources } = require('./workspace-sources.cjs');

module.exports = { resolve: { alias: workspaceSources() } };
