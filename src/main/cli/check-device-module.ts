import {type CheckResult, checkDevice} from '#main/check-device';
import {parseDevice} from '#main/config';
import {exitStatuses} from './exit-status.ts';
import {print, printable} from './print.ts';

/**
 * Tries a module and prints what it keeps and what it does not, rule by rule.
 * @param word - the module with options, as `--device` takes them
 * @returns the status to end with
 * @throws VmmError saying what a machine refuses
 */
export async function checkDeviceModule(word: string, {json}: {readonly json: boolean}): Promise<number> {
	const results: CheckResult[] = [];
	for await (const result of checkDevice(parseDevice(word, 'check-device'))) {
		results.push(result);
		if (!json) print(1, resultText(result));
	}
	const faults = results.flatMap((result) => result.faults);
	const isSound = faults.length === 0;
	const verdict = isSound ? 'The device keeps all that it is to keep' : `Faults: ${faults.length}`;
	print(1, json ? `${JSON.stringify({isSound, results}, undefined, 2)}\n` : `${verdict}\n`);
	return (isSound ? exitStatuses.ok : exitStatuses.usage).status;
}

/** The fault of a device is its author's words, and may hold anything. */
const resultText = ({rule, faults}: CheckResult) =>
	[`${faults.length === 0 ? 'ok  ' : 'FAIL'}  ${rule}`, ...faults.map((line) => `      ${printable(line)}`), ''].join(
		'\n',
	);
