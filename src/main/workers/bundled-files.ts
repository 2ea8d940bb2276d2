/** Set by the bundler: the code runs from `dist`, where every worker's entry is one file beside it. */
declare const __OPENVMM_BUNDLED__: boolean | undefined;

const bundled = typeof __OPENVMM_BUNDLED__ !== 'undefined';
const entry = (name: string, source: string) => new URL(bundled ? `./${name}.js` : source, import.meta.url);

/** The embedded guest as the build has assembled it: beside the bundle, and in a checkout where the bundle goes. */
export const embeddedGuest = new URL(
	bundled ? './embedded-guest.elf' : '../../../dist/embedded-guest.elf',
	import.meta.url,
);

/** The guest agent's program, by the guest's architecture: beside the bundle, and in a checkout where it is committed. */
export const guestAgent = (architecture: 'x86_64' | 'aarch64'): URL =>
	new URL(`${bundled ? '.' : '../../../flowey/guest-agent/built'}/guest-agent-${architecture}`, import.meta.url);

/** Entry points of the worker threads. */
export const workerUrls = {
	vcpu: entry('vcpu-worker', '../../vcpu-worker/entry.ts'),
	device: entry('device-worker', '../device-worker/entry.ts'),
	job: entry('job-worker', '../jobs/entry.ts'),
} as const;
