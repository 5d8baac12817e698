// Bounded waiting: nothing in the suites waits for ever, and nothing sleeps in the hope of luck.

/** Much longer than anything takes: only what fails waits for so long, also on a machine that is busy with other things. */
export const PATIENCE = 20_000;

/** Rejects with `what` unless the promise is settled within `ms`. */
export function within(promise, what, ms = PATIENCE) {
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

/** Waits for one event of an emitter; resolves to the array of its arguments. */
export function once(emitter, event, ms = PATIENCE) {
  return within(
    new Promise((resolve) => emitter.once(event, (...args) => resolve(args))),
    `event "${event}"`,
    ms,
  );
}

/** Asks `probe` again and again until it answers something truthy. */
export async function eventually(probe, what, ms = PATIENCE) {
  const deadline = Date.now() + ms;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(20);
  }
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
