// The token of a paylink stands behind the #, where no server sees it. The rest of the
// address, such as the language, stays.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  const address = new URL(document.currentScript.dataset.root + "order/" + encodeURIComponent(token), location);
  const lang = location.pathname.match(/\/(ru|en)\/$/);
  address.search = location.search;
  if (lang && !address.searchParams.has("lang")) address.searchParams.set("lang", lang[1]);
  location.replace(address);
}
