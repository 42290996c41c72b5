// Back to a list that was filtered in place: the page is fetched anew, and stands where it was left.
// The browser cannot know where: it restores the place of an entry while the other list is still there, which may be shorter.

(() => {
  const PLACES = "trophycase.places"; // address to scroll position, in this tab
  const CAME_BACK = "trophycase.came-back";
  const MOST = 50; // addresses remembered
  let isLeaving = false;

  const here = () => location.pathname + location.search;
  const known = () => new Map(JSON.parse(sessionStorage.getItem(PLACES) ?? "[]"));

  function remember() {
    if (isLeaving) return;
    const places = known();
    places.delete(here());
    places.set(here(), scrollY);
    sessionStorage.setItem(PLACES, JSON.stringify([...places].slice(-MOST)));
  }

  addEventListener("scrollend", remember);
  document.addEventListener("htmx:beforeHistoryUpdate", remember);
  addEventListener("popstate", (event) => {
    if (!event.state?.htmx) return;
    isLeaving = true;
    sessionStorage.setItem(CAME_BACK, here());
  });

  const place = known().get(here());
  if (sessionStorage.getItem(CAME_BACK) === here() && place !== undefined) {
    const restore = () => scrollTo({ top: place, behavior: "instant" });
    history.scrollRestoration = "manual"; // or the browser would have the last word, after everything is loaded
    restore();
    addEventListener("load", restore, { once: true });
    addEventListener("pagehide", () => { history.scrollRestoration = "auto"; }, { once: true });
  }
  sessionStorage.removeItem(CAME_BACK);
})();
