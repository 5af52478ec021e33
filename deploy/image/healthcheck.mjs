// A container's health check: node healthcheck.mjs <url>…   Exit 0 when every address answers 2xx, else 1 with the
// reason. The image has no curl.
const answerWithinMs = 4_000;
const faults = [];
for (const url of process.argv.slice(2)) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerWithinMs) });
    if (!response.ok)
      faults.push(`${url} answered ${response.status}: ${(await response.text()).slice(0, 300).trim()}`);
  } catch (error) {
    faults.push(`${url}: ${error.cause?.code ?? error.name}`);
  }
}
for (const fault of faults) process.stdout.write(`${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
