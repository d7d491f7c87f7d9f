/** Stops what global-setup.mjs started and removes its data. */
export default async function stopServers() {
  await globalThis.lockstepStopServers();
}
