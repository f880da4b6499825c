// The form that halts: asks the same address as programs do, with the token that somebody enters for it.
"use strict";

(() => { // other scripts have names of their own
  const form = document.getElementById("halt-form");
  if (form) form.addEventListener("submit", (event) => {
    event.preventDefault();
    halt(new FormData(form), form.querySelector("output"));
  });

  async function halt(given, said) {
    const text = (name) => String(given.get(name) || "").trim();
    const names = text("names").split(/[\s,]+/).filter(Boolean);
    const asked = {
      reason: text("reason"),
      ...(text("kind") && { kind: text("kind") }),
      ...(names.length && { names }),
      ...(text("label") && { label: text("label") }),
      ...(given.get("all") && { all: true }),
      by: "somebody on the dashboard",
    };
    said.textContent = "…";
    try {
      const headers = { "Content-Type": "application/json", Authorization: `Bearer ${text("token")}` };
      const answer = await fetch("/v1/halt", { method: "POST", headers, body: JSON.stringify(asked) });
      const found = await answer.json();
      said.textContent = answer.ok ? told(found) : `${found.error.message}. ${found.error.hint}`;
      if (answer.ok) {
        form.reset();
        if (typeof soon === "function") soon(0, "halted"); // app.js: this page shows it
      }
    } catch {
      said.textContent = "The daemon does not answer: `reconciler halt` works without it.";
    }
  }

  function told(found) {
    const rows = Object.entries(found.rows).map(([kind, count]) => `${count} ${kind}`).join(", ");
    return [`Halted ${found.selector}${rows ? `: ${rows}` : ""}.`, ...found.notes].join(" ");
  }
})();
