// Judges pages with axe-core, one after another, and leaves a JSON list of what it found in <pre id="found">.
// `pages` holds [name, HTML]. What a page's policy forbids was loaded before it.
addEventListener("load", () => setTimeout(async () => {
  const found = [];
  const show = (html) => { document.open(); document.write(html); document.close(); };
  for (const [name, html] of pages) {
    show(html);
    await new Promise((ready) => setTimeout(ready, 50));
    const { passes, violations } = await axe.run(document, { resultTypes: ["violations"] });
    const offences = violations.map(({ id, help, nodes }) =>
      `${id}: ${help}\n` + nodes.slice(0, 5).map((node) => `    ${node.target}  ${node.any.map((one) => one.message)}`).join("\n"));
    found.push({ name, passed: passes.map(({ id }) => id), violated: violations.map(({ id }) => id), offences });
  }
  show("<pre id='found'></pre>");
  const plain = (letter) => "\\u" + letter.charCodeAt(0).toString(16).padStart(4, "0");
  document.getElementById("found").textContent = JSON.stringify(found).replace(/[^ -~]|[<>&]/g, plain);
}));
