import {exampleOptions} from '#devices/conformance';
import type {AnyDeviceType, MachineFacts} from '#devices/device-type';
import {completeOptions} from '#support/options';

/** A machine of 1 GiB without other devices. */
const plainMachine: MachineFacts = {
	ram: [{gpa: 0, length: 2 ** 30}],
	bornMs: Date.UTC(2026, 0, 1),
	generationId: '0123456789abcdef0123456789abcdef',
	hasSystem: false,
	has: () => false,
};

/** A configuration of such a device as a machine could have it. @throws VmmError for a type whose examples are wrong */
export function exampleConfig(type: AnyDeviceType): unknown {
	const {kind, options: table = {}, configure, machineOnly} = type;
	if (machineOnly !== undefined) return machineOnly.example;
	const options = completeOptions(table, exampleOptions(type), kind);
	return configure === undefined ? options : configure(options, plainMachine);
}
