export { IndicatorCache, SeriesView } from "./cache.js";
export { catalog, digest, firstValid } from "./compute.js";
export {
  BackendError,
  IndicatorCacheError,
  ParameterError,
  SchemaError,
  StateError,
  UnknownSeriesError,
} from "./errors.js";
export { Stream, restore } from "./streams.js";
