/** Nothing here takes so long; a hang is a failure that tells what was waited for. */
const PATIENCE_MS = 30_000;

export async function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    const giveUp = () => reject(new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`));
    timer = setTimeout(giveUp, PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
