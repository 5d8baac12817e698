// The sender's side of the example `binary_upload`: a file in chunks, never more of them under way than the server wants.

import { createHash } from 'node:crypto';

/** Sends a file; resolves to what the server says of it. The server's refusals are thrown. */
export async function upload(socket, name, data) {
  const { chunk, window } = await ask(socket, 'start', { name, size: data.length });
  const underWay = new Set();
  for (let start = 0; start < data.length; start += chunk) {
    const answer = ask(socket, 'chunk', data.subarray(start, start + chunk));
    underWay.add(answer);
    answer.then(() => underWay.delete(answer), () => {});
    // One has to be on the disk before the next one may leave.
    if (underWay.size === window) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return ask(socket, 'finish', createHash('sha256').update(data).digest('hex'));
}

/** Emits and waits for the acknowledgement; one with a message is a refusal. */
async function ask(socket, event, data) {
  const answer = await socket.timeout(10_000).emitWithAck(event, data);
  if (answer?.message) throw new Error(answer.message);
  return answer;
}
