/** Prometheus and promtool, where they are or can be fetched; else the error says what to install. */
export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

export async function findPrometheus(): Promise<PrometheusPrograms> {
  const setUpScript = new URL('../../apps/local/set-up.mjs', import.meta.url).href;
  const setUp = (await import(setUpScript)) as { findPrometheus: () => Promise<PrometheusPrograms> };
  return setUp.findPrometheus();
}
