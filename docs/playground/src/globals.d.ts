/** The sample, as the build found it. */
declare module "sample.csv" {
  const text: string;
  export default text;
}

/** The name of its file. */
declare const SAMPLE_NAME: string;
