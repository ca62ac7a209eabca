// Sends the form that leads back to the shop by POST, after the seconds that it names.
(() => {
  "use strict";
  const form = document.querySelector("form[data-send-after]");
  if (form) setTimeout(() => form.submit(), 1000 * Number(form.dataset.sendAfter));
})();
