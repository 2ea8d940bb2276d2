import {inspect} from 'node:util';
import type {ModuleHandle} from '#devices/device-type';
import {backChecks, ownedChecks} from './back-checks.ts';
import {type CheckedDevice, loadChecked} from './checked-machine.ts';
import {type DeviceCheck, frontChecks} from './front-checks.ts';

/** What came of one rule. */
export interface CheckResult {
	readonly rule: string;
	/** What breaks it, a line each. */
	readonly faults: readonly string[];
}

/** More say nothing new. */
const mostFaults = 5;

/**
 * Tries a device's module in a machine without a hypervisor: whether a machine can have it, and whether it keeps what every device
 * is to keep. Its back runs, with what of the host its options name.
 * @throws VmmError saying what a machine refuses
 */
export async function* checkDevice(handle: ModuleHandle): AsyncGenerator<CheckResult> {
	const checked = await loadChecked(handle);
	try {
		checked.make();
		yield {rule: 'is one that a machine can have', faults: []};
		for (const check of checksOf(checked)) yield {rule: check.rule, faults: await faultsOf(check, checked)};
	} finally {
		await checked.dispose();
	}
}

const checksOf = ({type: {owned, back}}: CheckedDevice): readonly DeviceCheck[] => {
	if (owned !== undefined) return [...backChecks, ...ownedChecks];
	return back === undefined ? frontChecks : [...frontChecks, ...backChecks];
};

async function faultsOf(check: DeviceCheck, checked: CheckedDevice): Promise<readonly string[]> {
	const faults = new Set<string>();
	const tell = (line: string) => void faults.add(line.replace(/\s+/g, ' '));
	try {
		await check.run(checked, tell);
	} catch (error) {
		// One that has ended a device is told already, with what led to it.
		const message = error instanceof Error ? error.message : inspect(error);
		if (![...faults].some((line) => line.endsWith(message))) tell(message);
	}
	return [...faults].slice(0, mostFaults);
}
