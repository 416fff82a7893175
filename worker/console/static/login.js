// The login: says why it is needed, and comes back to where somebody was.

import { sentence } from "./words.js";

const form = document.getElementById("login");
const why = document.getElementById("why");
const asked = new URLSearchParams(location.search);

function tell(words) {
  why.textContent = words;
  why.hidden = !words;
}

if (asked.has("wrong")) tell("That is not the token.");
if (asked.has("wait")) tell(`Too many wrong tokens: wait ${Number(asked.get("wait")) || 60} seconds.`);
if (asked.get("why") === "ended") tell("The session has ended: log in again.");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const options = { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(new FormData(form)) };
  try {
    const answer = await fetch(form.action, options);
    if (answer.ok) {
      location.replace(new URL("/console" + location.hash, location.href));
      return;
    }
    const said = await answer.json();
    tell(`${said.error} ${sentence(said.remedy)}`.trim());
  } catch {
    tell("The worker does not answer.");
  }
  form.elements.token.select();
});
