import {writeSync} from 'node:fs';
import type {Finding, FindingLevel} from '#vcpu-worker/hypervisor';
import {type Evidence, hostEvidence} from './evidence.ts';
import {
	checkoutFindings,
	hypervisorFindings,
	memoryFindings,
	processorFindings,
	runtimeFindings,
} from './host-findings.ts';

/** Options for printing the findings. */
export interface DoctorOptions {
	readonly json: boolean;
}

/** Status of `openvmm doctor` when no guest can run: the same as a run that finds no hypervisor. */
const cannotRun = 4;

/** Looks at everything a machine depends on. */
export function examineHost(evidence: Evidence): Finding[] {
	return [
		...processorFindings(evidence),
		...hypervisorFindings(evidence),
		...memoryFindings(evidence),
		...runtimeFindings(evidence),
		...checkoutFindings(evidence),
	];
}

/** True when the findings leave nothing in a guest's way. */
export const canRun = (findings: readonly Finding[]): boolean => findings.every(({level}) => level !== 'fail');

/** The findings as lines for a person, the verdict last. */
export function findingsText(findings: readonly Finding[]): string {
	const marks: Readonly<Record<FindingLevel, string>> = {ok: 'ok  ', warn: 'warn', fail: 'FAIL'};
	const lines = findings.flatMap(({name, level, text, remedy}) => [
		`${marks[level]}  ${name.padEnd(14)}  ${text}`,
		...(remedy === undefined ? [] : [`${' '.repeat(22)}${remedy}`]),
	]);
	return `${[...lines, canRun(findings) ? 'Guests can run here' : 'No guest can run here'].join('\n')}\n`;
}

/**
 * Prints what this host can run.
 * @returns the status to end with: 0 when a guest can run, 4 when none can
 */
export async function doctor({json}: DoctorOptions): Promise<number> {
	const findings = examineHost(await hostEvidence());
	const runs = canRun(findings);
	writeSync(1, json ? `${JSON.stringify({canRun: runs, findings}, undefined, 2)}\n` : findingsText(findings));
	return runs ? 0 : cannotRun;
}
