// The form that rolls back: asks the same address as programs do, with the token that somebody enters for it.
"use strict";

(() => {
  const form = document.getElementById("rollback-form");
  if (form) form.addEventListener("submit", (event) => {
    event.preventDefault();
    rollBack(new FormData(form), form.querySelector("output"));
  });

  async function rollBack(given, said) {
    const text = (name) => String(given.get(name) || "").trim();
    const asked = { reason: text("reason"), to: text("to"), by: "somebody on the dashboard" };
    said.textContent = "…";
    try {
      const headers = { "Content-Type": "application/json", Authorization: `Bearer ${text("token")}` };
      const answer = await fetch("/v1/rollback", { method: "POST", headers, body: JSON.stringify(asked) });
      const found = await answer.json();
      said.textContent = answer.ok ? `Done: ${found.summary}.` : `${found.error.message}. ${found.error.hint}`;
      if (answer.ok) form.querySelector("button").disabled = true;
    } catch {
      said.textContent = "The daemon does not answer: where it does not run, `reconciler rollback` works without it.";
    }
  }
})();
