/* Report where on the map of the form a visitor clicks or taps, in units of its axes. */
export default function ({ setTriggerValue }) {
  let start = null;
  const press = (event) => {
    const layer = event.target.closest?.(".st-key-place_map .nsewdrag");
    start = layer && { layer, x: event.clientX, y: event.clientY };
  };
  const release = ({ clientX, clientY }) => {
    if (!start || Math.hypot(clientX - start.x, clientY - start.y) > 6) return;
    const { xaxis, yaxis } = start.layer.closest(".js-plotly-plot")._fullLayout;
    const { left, top } = start.layer.getBoundingClientRect();
    setTriggerValue("place", [xaxis.p2d(clientX - left), yaxis.p2d(clientY - top)]);
  };
  addEventListener("pointerdown", press, true);
  addEventListener("pointerup", release, true);
  return () => {
    removeEventListener("pointerdown", press, true);
    removeEventListener("pointerup", release, true);
  };
}
