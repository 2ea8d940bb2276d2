import {isPolicy} from '#devices/storage/backend';
import {mostLun, mostUnits, type UnitConfig} from '#devices/storage/scsi';
import {diskOption} from '#devices/storage/source';
import {invalidValue, parseNumber, type ValueType} from '#support/options';

const expected =
	'LUN:DISK, with ro:, dvd: or off: before the disk, several with + between them, for example 0:mem:64M+1:dvd:installer.iso';

/** Units of a controller, written LUN:[ro:][dvd:][off:]DISK+…. */
export const unitList: ValueType<readonly UnitConfig[]> = {
	placeholder: 'UNITS',
	parse: (text, option) =>
		text === ''
			? []
			: text.split('+').map((part) => {
					const [, lun, ro, dvd, off, disk] = /^([^:]+):(ro:)?(dvd:)?(off:)?(.+)$/s.exec(part) ?? [];
					if (lun === undefined || disk === undefined) throw invalidValue(option, text, expected);
					return {
						lun: parseNumber(lun, option, 0, mostLun),
						disk: diskOption.parse(disk, option),
						readOnly: ro !== undefined,
						...(dvd !== undefined && {dvd: true}),
						...(off !== undefined && {detached: true}),
					};
				}),
	check(value, option) {
		if (!(Array.isArray(value) && value.length <= mostUnits && value.every(isUnit)))
			return invalidValue(option, value, expected);
		const units = value as readonly UnitConfig[];
		const luns = units.map(({lun}) => lun);
		if (new Set(luns).size < luns.length) return invalidValue(option, value, 'a number of its own for each');
		// A disc is opened again and again, and has to be there each time.
		if (units.some(({disk, dvd}) => dvd === true && 'create' in disk))
			return invalidValue(option, value, 'an image that is there for each dvd, without create');
		return units.map(({disk}) => diskOption.check(disk, option)).find((error) => error !== undefined);
	},
	checkHost: (value, option, host) =>
		value.map(({disk}) => diskOption.checkHost?.(disk, option, host)).find((error) => error !== undefined),
};

function isUnit(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const {lun, readOnly, dvd, detached, disk, policy} = value as Record<string, unknown>;
	const isNumber = Number.isInteger(lun) && (lun as number) >= 0 && (lun as number) <= mostLun;
	const areFlags = [dvd, detached].every((each) => each === undefined || typeof each === 'boolean');
	const isPossible = policy === undefined || isPolicy(policy);
	return (
		isPossible && isNumber && typeof readOnly === 'boolean' && areFlags && typeof disk === 'object' && disk !== null
	);
}
