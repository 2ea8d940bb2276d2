export {type Aml, integer, namePath, withPackageLength} from './encoding.ts';
export {edgeEvent, levelEvent} from './events.ts';
export {dwordFields, memoryRegion} from './regions.ts';
export {
	busNumbers,
	type InterruptMode,
	interrupt,
	ioPorts,
	irq,
	memory32Fixed,
	memoryFixed,
	portWindow,
	qwordMemory,
	type Resource,
	resourceTemplate,
} from './resources.ts';
export {
	argument,
	buffer,
	createDwordField,
	device,
	eisaId,
	elementOf,
	equal,
	method,
	name,
	notify,
	orInto,
	otherwise,
	packageOf,
	returns,
	scope,
	store,
	string,
	uuid,
	when,
} from './terms.ts';
