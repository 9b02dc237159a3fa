/* Streamlit replaces the address for a change of a bound widget, and adds up to three entries to the
   history when a page opens. Here each action of a visitor that changes the address is one entry, so
   that Back undoes it. */
if (!window.isAdapted) {
  window.isAdapted = true;
  let acted = false;
  for (const action of ["pointerdown", "keydown"]) {
    addEventListener(action, () => { acted = true; }, true);
  }
  addEventListener("popstate", () => { acted = false; }, true);
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  history.pushState = history.replaceState = (state, title, url) => {
    if (acted && new URL(url, location).href !== location.href) {
      acted = false;
      push(state, title, url);
    } else {
      replace(state, title, url);
    }
  };
  /* Plotly selects the point of the last mouse move, and a tap has none before it. */
  addEventListener("touchstart", (event) => {
    const { clientX, clientY } = event.touches[0];
    event.target.closest?.(".js-plotly-plot .nsewdrag")?.dispatchEvent(
      new MouseEvent("mousemove", { bubbles: true, clientX, clientY })
    );
  }, { capture: true, passive: true });
}
