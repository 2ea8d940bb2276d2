import {isPolicy} from '#devices/storage/backend';
import {diskOption} from '#devices/storage/source';
import {invalidValue, parseNumber, type ValueType} from '#support/options';
import {mostNamespaceId, mostNamespaces, type NamespaceConfig} from './handle.ts';

const expected =
	'NSID:DISK, with ro: or off: before the disk, several with + between them, for example 1:mem:64M+2:ro:disk.img';

/** Namespaces of a controller, written NSID:[ro:][off:]DISK+…. */
export const namespaceList: ValueType<readonly NamespaceConfig[]> = {
	placeholder: 'NAMESPACES',
	parse: (text, option) =>
		text === ''
			? []
			: text.split('+').map((part) => {
					const [, nsid, ro, off, disk] = /^([^:]+):(ro:)?(off:)?(.+)$/s.exec(part) ?? [];
					if (nsid === undefined || disk === undefined) throw invalidValue(option, text, expected);
					return {
						nsid: parseNumber(nsid, option, 1, mostNamespaceId),
						disk: diskOption.parse(disk, option),
						readOnly: ro !== undefined,
						...(off !== undefined && {detached: true}),
					};
				}),
	check(value, option) {
		const isList = Array.isArray(value) && value.length <= mostNamespaces && value.every(isNamespace);
		if (!isList) return invalidValue(option, value, expected);
		const namespaces = value as readonly NamespaceConfig[];
		const ids = namespaces.map(({nsid}) => nsid);
		if (new Set(ids).size < ids.length) return invalidValue(option, value, 'a number of its own for each');
		return first(namespaces.map(({disk}) => diskOption.check(disk, option)));
	},
	checkHost: (value, option, host) => first(value.map(({disk}) => diskOption.checkHost?.(disk, option, host))),
};

const first = <E>(errors: readonly (E | undefined)[]): E | undefined => errors.find((error) => error !== undefined);

function isNamespace(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const {nsid, readOnly, detached, policy, at} = value as Record<string, unknown>;
	const isNumber = Number.isInteger(nsid) && (nsid as number) >= 1 && (nsid as number) <= mostNamespaceId;
	const isTold = typeof readOnly === 'boolean' && (detached === undefined || typeof detached === 'boolean');
	return at === undefined && isNumber && isTold && (policy === undefined || isPolicy(policy));
}
