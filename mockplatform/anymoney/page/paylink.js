// The token of a paylink stands behind the #, where no server sees it.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  location.replace(document.currentScript.dataset.root + "/order/" + encodeURIComponent(token));
}
