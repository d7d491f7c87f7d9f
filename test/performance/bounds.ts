/** What stops the benchmarks whose goals are missed, as their profiles show it; the page repeats it beside the figures. */
export const BOUNDS: Readonly<Record<string, string>> = {};
