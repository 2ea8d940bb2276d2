import {type Children, dataChildren, nodeName, object} from '#support/inspect';
import type {InspectedMachine} from './inspected-machine.ts';

/** `vm/interrupts`: every input that a device's line leads to, its level, and who raises it. */
export const interruptNodes = ({machine, config, partition, state}: InspectedMachine): Children => ({
	controllers: config.irqchip === 'kernel' ? partition.handle.kind : 'devices: pic, ioapic, pit',
	kernelChips: chipNodes(partition.inspectChips, state),
	inputs: object(() => {
		const inputs = machine.devices.flatMap(({placed}) => Object.values(placed.lines).map(({gsi}) => gsi));
		return Object.fromEntries([...new Set(inputs)].map((input) => [input, object(() => inputNodes(machine, input))]));
	}),
});

/** Chips that are the back end's, while there is one. */
const chipNodes = (inspect: (() => object) | undefined, state: () => string) =>
	inspect === undefined || state() === 'stopped' ? undefined : object(() => dataChildren(inspect()));

const inputNodes = ({devices, lines}: InspectedMachine['machine'], input: number): Children => ({
	asserted: lines.isAsserted(input),
	sources: object(() =>
		Object.fromEntries(
			devices.flatMap(({placed}) =>
				Object.entries(placed.lines)
					.filter(([, source]) => source.gsi === input)
					.map(([line, source]) => [nodeName(`${placed.name}.${line}`), lines.isRaised(source)] as const),
			),
		),
	),
});
