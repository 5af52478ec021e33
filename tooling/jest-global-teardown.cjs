module.exports = async () => {
  await globalThis.bridgeTestPostgres?.discard();
};
