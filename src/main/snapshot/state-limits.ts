import {pageBytes} from '#devices/guest-memory';
import type {DescribedDevice} from '#devices/pci/fabric';
import {isFunctionModel} from '#devices/pci/function';
import type {JsonLimits} from '#main/jobs';
import {type AnyField, isKind} from '#support/wire';

/** State of every machine: clocks, KVM's interrupt controllers, names. */
const base = {bytes: 2 ** 16, values: 2 ** 10} as const;
/** Bytes of a field beside its value: a name of some 24, quotes, tabs. */
const fieldBytes = 48;
const deviceFields = 8;
/** A page of memory behind a BAR: a pair of its offset and its bytes. */
const valuesOfPage = 3;
/** For lines of many ports, and for what devices were in older versions. */
const margin = 2;

/**
 * The most that the state of such a machine is as JSON, and twice that.
 * @param vcpu - the most for one of them, as its hypervisor says
 */
export function stateLimits(vcpus: number, vcpu: JsonLimits, devices: readonly DescribedDevice[]): JsonLimits {
	const schemas = devices.map((device) => {
		const {state, owned} = device.model;
		const pages = savedBytes(device);
		const fields = valuesOf(state) + deviceFields + (pages / pageBytes) * valuesOfPage;
		return {bytes: state.byteLength + pages + (owned?.mostBytes ?? 0), fields};
	});
	const fields = schemas.reduce((sum, schema) => sum + schema.fields, 0);
	// Two letters for a byte: base64 has four for three, and a number at most some twenty for eight.
	const bytes = schemas.reduce((sum, schema) => sum + schema.bytes * 2, 0) + fields * fieldBytes;
	return {
		bytes: margin * (base.bytes + vcpus * vcpu.bytes + bytes),
		values: margin * (base.values + vcpus * vcpu.values + fields * 2),
	};
}

/** Bytes of memory behind a device's BARs that a snapshot has. */
function savedBytes({instance, model}: DescribedDevice): number {
	const bars = isFunctionModel(model) ? model.design(instance.config).bars : [];
	return bars.reduce((sum, {pages, size}) => sum + (pages === 'saved' ? size : 0), 0);
}

/** Counts the values of a field as JSON: a struct or a list counts beside what is in it. */
function valuesOf(field: AnyField): number {
	if (isKind(field, 'list')) return 1 + field.length * valuesOf(field.item);
	if (!isKind(field, 'struct')) return 1;
	return Object.values(field.fields as Readonly<Record<string, AnyField>>).reduce(
		(sum, each) => sum + valuesOf(each),
		1,
	);
}
