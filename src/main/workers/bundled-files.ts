/** Set by the bundler: the code runs from `dist`, where every worker's entry is one file beside it. */
declare const __OPENVMM_BUNDLED__: boolean | undefined;

const bundled = typeof __OPENVMM_BUNDLED__ !== 'undefined';
const entry = (name: string, source: string) => new URL(bundled ? `./${name}.js` : source, import.meta.url);

/** The embedded guest as the build has assembled it; undefined when the code runs from its sources. */
export const assembledGuest = bundled ? new URL('./default-guest.elf', import.meta.url) : undefined;

/** The public API: the larger part of the program, which the command line loads beside its threads' start. */
export const publicApi = entry('index', '../index.ts');

/** Entry points of the worker threads. */
export const workerUrls = {
	vcpu: entry('vcpu-worker', '../../vcpu-worker/entry.ts'),
	device: entry('device-worker', '../device-worker/entry.ts'),
	job: entry('job-worker', '../jobs/entry.ts'),
} as const;
