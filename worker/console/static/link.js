// The line to the worker: calls, their errors, and asking again and again.

const API = new URL("../api/", import.meta.url);
const LOGIN = new URL("../login", import.meta.url);
const PATIENCE_MS = 15_000;
const LONGEST_MS = 30_000;
const UNREACHABLE = new Set([502, 504]); // what a proxy says of a worker that is away

/** What went wrong, and what to do about it. */
export class Trouble extends Error {
  constructor(status, words, remedy = "") {
    super(words);
    this.status = status;
    this.remedy = remedy;
  }

  get isLost() {
    return this.status === 0;
  }
}

export let session = null;

/** Who is asked and what may be done; asked again when the worker is another. */
export async function openSession() {
  session = await get("session");
  return session;
}

export function get(path, query = {}, signal = undefined) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return call(url, {}, signal);
}

/** Does something. A worker that was started anew does not know our token any more: it is fetched once. */
export async function post(path, body) {
  try {
    return await posted(path, body);
  } catch (trouble) {
    if (trouble.status !== 403) throw trouble;
    await openSession();
    return posted(path, body);
  }
}

function posted(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": session.csrf };
  return call(new URL(path, API), { method: "POST", headers, body: JSON.stringify(body) });
}

async function call(url, options, signal) {
  let answer, said;
  try {
    const limit = AbortSignal.timeout(PATIENCE_MS);
    answer = await fetch(url, { ...options, signal: signal ? AbortSignal.any([signal, limit]) : limit });
    said = await read(answer);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble(0, "The worker does not answer.");
  }
  if (answer.status === 401) {
    leave();
    throw new Trouble(401, "The session has ended.", "Log in again.");
  }
  if (!answer.ok) throw new Trouble(UNREACHABLE.has(answer.status) ? 0 : answer.status, said.error ?? `Status ${answer.status}.`, said.remedy);
  return said;
}

async function read(answer) {
  if (answer.headers.get("Content-Type")?.includes("json")) return answer.json();
  await answer.arrayBuffer();
  return {};
}

/** To the login; it comes back to where we are. */
function leave() {
  const url = new URL(LOGIN);
  url.searchParams.set("why", "ended");
  url.hash = location.hash;
  location.replace(url);
}

export async function logOut() {
  await post("../logout", {});
  location.assign(LOGIN);
}

/**
 * Asks now and every so often; not while nobody looks, and ever more rarely while it fails.
 *
 * `act` gets a signal that ends its call.
 */
export function poll(everyMs, act) {
  const ending = new AbortController();
  const { signal } = ending;
  let timer = 0;
  let failures = 0;
  let isAsking = false;
  let isWanted = false;

  async function turn() {
    clearTimeout(timer);
    isWanted = isAsking;
    if (isAsking || document.hidden || signal.aborted) return;
    isAsking = true;
    try {
      await act(signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!(error instanceof Trouble) && !signal.aborted) console.error(error);
    }
    isAsking = false;
    if (!signal.aborted) timer = setTimeout(turn, isWanted ? 0 : Math.min(everyMs * 2 ** failures, LONGEST_MS));
  }

  document.addEventListener("visibilitychange", turn, { signal });
  document.addEventListener("console:back", turn, { signal });
  turn();
  return { again: turn, stop: () => (clearTimeout(timer), ending.abort()) };
}
