<script>
// A file that is too large is refused on the page, before it is sent; and screen readers hear when an answer is there.
(() => {
  const mostBytes = __MOST_BYTES__;
  const tooLarge = __TOO_LARGE__;
  const filled = (text, words) => text.replace(/\{(\w+)\}/g, (whole, name) => words[name] ?? whole);
  const inPanel = (node, kind) => (node.closest("[role=tabpanel]") || document).querySelector(kind);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  const check = (event, files) => {
    const large = [...(files || [])].find((file) => file.size > mostBytes);
    const place = inPanel(event.target, ".tf-problem");
    if (place) place.textContent = large ? filled(tooLarge, { name: large.name, size: megabytes(large.size), most: megabytes(mostBytes) }) : "";
    if (large) { event.preventDefault(); event.stopImmediatePropagation(); event.target.value = ""; }
  };
  document.addEventListener("change", (event) => { if (event.target.type === "file") check(event, event.target.files); }, true);
  document.addEventListener("drop", (event) => check(event, event.dataTransfer && event.dataTransfer.files), true);
  new MutationObserver(() => {
    for (const verdict of document.querySelectorAll(".tf-verdict:not([data-said])")) {
      verdict.dataset.said = "";
      const place = inPanel(verdict, ".tf-said");
      if (place) place.textContent = [...verdict.querySelectorAll("h2, .tf-score, .tf-rate, .tf-doubt")].map((one) => one.textContent.replace(/\.$/, "")).join(". ") + ".";
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
  document.documentElement.lang = __LANGUAGE__;
})();
</script>
