// The chart: candles with the volume under them, lines over the prices, and a panel for every study that has a scale
// of its own. Nothing is computed here but places on the screen.

import {
  type IChartApi,
  type ISeriesApi,
  type ITextWatermarkPluginApi,
  type SeriesType,
  type Time,
  type UTCTimestamp,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  createChart,
  createTextWatermark,
} from "lightweight-charts";
import type { Bars } from "./csv.ts";

export interface Line {
  readonly name: string;
  readonly color: string;
  readonly column: Float64Array;
}

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

const THEMES = {
  light: { text: "#4b5563", grid: "#eef0f3", line: "#d5d9e0", up: "#0f9d82", down: "#e0474c", volume: "#94a3b866" },
  dark: { text: "#aab2c0", grid: "#20252e", line: "#353c48", up: "#2fbf9f", down: "#f0616d", volume: "#64748b66" },
};

const PRICES_HEIGHT = 340;
const PANEL_HEIGHT = 130;

/** More than this, and every change would take seconds. Of longer series the chart has the end. */
export const MOST_BARS = 20_000;

/** A series with what it shows of each bar; null where there is nothing. */
interface Drawn {
  readonly series: ISeriesApi<SeriesType>;
  readonly point: (bar: number) => object | null;
}

export class Chart {
  #chart: IChartApi;
  #drawn: Drawn[] = [];
  #titles: { readonly plugin: ITextWatermarkPluginApi<Time>; readonly text: string }[] = [];
  #bars: Bars | null = null;
  /** Bars on the chart: from the first to before the second. */
  #start = 0;
  #shown = 0;
  #crosshair = -1;

  constructor(
    private readonly container: HTMLElement,
    private readonly onBar: (bar: number | null) => void,
  ) {
    this.#chart = createChart(container, {
      autoSize: true,
      layout: { attributionLogo: false, fontFamily: getComputedStyle(container).fontFamily },
      crosshair: { mode: CrosshairMode.Magnet },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderVisible: false, rightOffset: 3, minBarSpacing: 0.05 },
      localization: { locale: "en", timeFormatter: (time: Time) => this.#label(time) },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
    });
    this.#chart.subscribeCrosshairMove(({ time, sourceEvent }) => {
      // Without an event it was moved by a key, or the bars moved under it.
      if (sourceEvent) this.#crosshair = -1;
      if (this.#crosshair < 0) onBar(time === undefined ? null : this.#barAt(time));
    });
    container.addEventListener("keydown", (event) => this.#key(event));
  }

  show(bars: Bars, over: readonly Line[], panels: readonly Panel[], dark: boolean): void {
    for (const { plugin } of this.#titles) plugin.detach();
    for (const { series } of this.#drawn) this.#chart.removeSeries(series);
    const sameBars = this.#bars === bars;
    const range = sameBars ? this.#chart.timeScale().getVisibleLogicalRange() : null;
    this.#bars = bars;
    this.#crosshair = -1;
    this.#drawn = [];
    this.#titles = [];
    const theme = THEMES[dark ? "dark" : "light"];
    this.#chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: "transparent" },
        textColor: theme.text,
        panes: { separatorColor: theme.line, separatorHoverColor: theme.grid },
      },
      grid: { vertLines: { color: theme.grid }, horzLines: { color: theme.grid } },
      timeScale: {
        timeVisible: bars.seconds?.some((second) => second % 86400 !== 0) ?? false,
        ...(bars.seconds ? {} : { tickMarkFormatter: (time: Time) => this.#label(time) }),
      },
    });
    this.#prices(bars, theme);
    for (const line of over) this.#line(line, 0);
    panels.forEach((panel, place) => {
      for (const line of panel.lines) this.#line(line, place + 1);
      this.#title(panel.title, place + 1, theme.text);
    });
    this.container.style.height = `${PRICES_HEIGHT + PANEL_HEIGHT * panels.length}px`;
    this.#chart.panes().forEach((pane, place) => pane.setStretchFactor(place ? PANEL_HEIGHT : PRICES_HEIGHT));
    this.reveal(bars.length);
    if (range) this.#chart.timeScale().setVisibleLogicalRange(range);
    else this.home();
  }

  /** Shows the first bars only, as a chart does while they come in. */
  reveal(count: number): void {
    const bars = this.#bars;
    if (!bars) return;
    // In leaps, so that most bars are only added.
    const leap = MOST_BARS / 2;
    const start = Math.max(0, Math.ceil((count - MOST_BARS) / leap) * leap);
    const more = count - this.#shown;
    for (const { series, point } of this.#drawn) {
      const at = (bar: number) => ({ time: this.#time(bar), ...point(bar) });
      const held = series.data().length;
      if (start === this.#start && held > 0 && held === this.#shown - start && more > 0 && more < 200) {
        for (let bar = this.#shown; bar < count; bar += 1) series.update(at(bar) as never);
      } else {
        series.setData(Array.from({ length: count - start }, (_, place) => at(start + place)) as never[]);
      }
    }
    this.#start = start;
    this.#shown = count;
  }

  /** The last bars shown, as many as are in sight now. */
  follow(): void {
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (!range) return this.home();
    const to = this.#shown - this.#start + 3;
    scale.setVisibleLogicalRange({ from: to - (range.to - range.from), to });
  }

  /** The last bars shown, as many as are still told apart. */
  home(): void {
    const width = Math.max(this.container.clientWidth - 70, 200);
    const end = this.#shown - this.#start;
    this.#chart.timeScale().setVisibleLogicalRange({ from: end - Math.round(width / 5), to: end + 3 });
  }

  #prices(bars: Bars, theme: (typeof THEMES)["light"]): void {
    const { open, high, low, close, volume } = bars.columns;
    if (volume && (close ?? open)) {
      const series = this.#chart.addSeries(HistogramSeries, {
        color: theme.volume,
        priceScaleId: "volume",
        priceFormat: { type: "volume" },
        lastValueVisible: false,
        priceLineVisible: false,
      });
      series.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
      this.#drawn.push({ series, point: valueOf(volume) });
    }
    if (open && high && low && close) {
      const series = this.#chart.addSeries(CandlestickSeries, {
        upColor: theme.up,
        downColor: theme.down,
        wickUpColor: theme.up,
        wickDownColor: theme.down,
        borderVisible: false,
        priceLineVisible: false,
      });
      series.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.18 } });
      const point = (bar: number) => {
        const [o, h, l, c] = [open[bar], high[bar], low[bar], close[bar]] as [number, number, number, number];
        return [o, h, l, c].every(drawable) ? { open: o, high: h, low: l, close: c } : null;
      };
      this.#drawn.push({ series, point });
      return;
    }
    const column = close ?? open ?? high ?? low ?? volume;
    if (column) this.#line({ name: "price", color: theme.up, column }, 0);
  }

  #line({ name, color, column }: Line, pane: number): void {
    const plain = { color, priceLineVisible: false, title: "", priceFormat: formatOf(column) };
    // Said by the output's own name: bars from zero are what a histogram is.
    const series =
      name === "histogram"
        ? this.#chart.addSeries(HistogramSeries, plain, pane)
        : this.#chart.addSeries(LineSeries, { ...plain, lineWidth: 2, crosshairMarkerRadius: 3 }, pane);
    this.#drawn.push({ series, point: valueOf(column) });
  }

  #title(text: string, pane: number, color: string): void {
    const target = this.#chart.panes()[pane];
    if (!target) return;
    const { fontFamily } = getComputedStyle(this.container);
    // The first line is the distance from the edge.
    const lines = [
      { text: "\u00a0", color, fontSize: 6, lineHeight: 6 },
      { text, color, fontSize: 12, fontFamily },
    ];
    const plugin = createTextWatermark(target, { horzAlign: "left", vertAlign: "top", lines });
    this.#titles.push({ plugin, text });
  }

  #time(bar: number): UTCTimestamp {
    return (this.#bars?.seconds?.[bar] ?? bar) as UTCTimestamp;
  }

  #barAt(time: Time): number | null {
    const bars = this.#bars;
    if (!bars || typeof time !== "number") return null;
    if (!bars.seconds) return time;
    let [from, to] = [0, bars.length - 1];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((bars.seconds[middle] as number) < time) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #label(time: Time): string {
    const bar = this.#barAt(time);
    return bar === null ? "" : (this.#bars?.labels[bar] ?? "");
  }

  #key(event: KeyboardEvent): void {
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 10 : 1;
    const last = this.#shown - 1;
    const from = this.#crosshair < 0 ? Math.min(last, Math.floor(range.to) + this.#start) : this.#crosshair;
    const targets: Record<string, number> = { ArrowLeft: from - step, ArrowRight: from + step, Home: this.#start, End: last };
    const target = targets[event.key];
    if (target !== undefined) {
      this.#point(Math.max(this.#start, Math.min(last, target)));
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      const by = ((range.to - range.from) / 8) * (event.key === "-" ? -1 : 1);
      scale.setVisibleLogicalRange({ from: range.from + by, to: range.to - (range.to > last - this.#start ? 0 : by) });
    } else if (event.key === "Escape") {
      this.#crosshair = -1;
      this.#chart.clearCrosshairPosition();
      this.onBar(null);
    } else {
      return;
    }
    event.preventDefault();
  }

  #point(bar: number): void {
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    this.#crosshair = bar;
    const place = bar - this.#start;
    if (range && (place < range.from || place > range.to)) {
      const width = range.to - range.from;
      const from = place < range.from ? place - 2 : place - width + 2;
      scale.setVisibleLogicalRange({ from, to: from + width });
    }
    const candles = this.#drawn.find(({ series }) => series.seriesType() === "Candlestick") ?? this.#drawn[0];
    const { close } = this.#bars?.columns ?? {};
    this.onBar(bar);
    // The chart knows where a bar is once it has been drawn.
    requestAnimationFrame(() => {
      if (this.#crosshair === bar && candles) {
        this.#chart.setCrosshairPosition(close?.[bar] ?? 0, this.#time(bar), candles.series);
      }
    });
  }
}

/** What the chart's library can place; beyond that it throws. */
function drawable(value: number): boolean {
  return Math.abs(value) < 9e13;
}

function valueOf(column: Float64Array): (bar: number) => object | null {
  return (bar) => {
    const value = column[bar] as number;
    return drawable(value) ? { value } : null;
  };
}

/** As many digits as tell the values of a column apart. */
function formatOf(column: Float64Array): { type: "price"; precision: number; minMove: number } {
  const size = column.reduce((most, value) => (drawable(value) ? Math.max(most, Math.abs(value)) : most), 0);
  const precision = size === 0 ? 2 : Math.max(2, Math.min(8, 3 - Math.floor(Math.log10(size))));
  return { type: "price", precision, minMove: 10 ** -precision };
}
