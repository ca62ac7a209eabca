// The inner half of iframeResizer's protocol (versions 2 to 4): the page around us says
// "[iFrameSizer]<id>:<settings…>", and from then on we answer with our height whenever it
// changes. Nothing else of that protocol is needed here.
(() => {
  "use strict";
  const mark = "[iFrameSizer]";
  let host, id, sent = "";

  // The document's own height, not the window's: it must be able to shrink again.
  const size = () => {
    const { width, height } = document.documentElement.getBoundingClientRect();
    return `${Math.ceil(height)}:${Math.ceil(width)}`;
  };

  const tell = (reason) => {
    const now = size();
    if (!host || (now === sent && reason === "resize")) return;
    sent = now;
    host.postMessage(`${mark}${id}:${now}:${reason}`, "*");
  };

  addEventListener("message", ({ source, data }) => {
    if (source !== parent || typeof data !== "string" || !data.startsWith(mark)) return;
    const [name, , third] = data.slice(mark.length).split(":");
    if (third === "true" || third === "false") { // the settings, which open the conversation
      [host, id] = [source, name];
      tell("init");
    } else if (name === "resize" || name === "reset") {
      tell("resizeParent");
    }
  });

  if (parent === window) return;
  new ResizeObserver(() => tell("resize")).observe(document.documentElement);
  parent.postMessage("[iFrameResizerChild]Ready", "*");
})();
