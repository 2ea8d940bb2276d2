import {errorTable} from '#support/errors';

/** Everything that can be wrong with the processors and the memory a user asks for. */
export const topologyError = errorTable({
	TOPOLOGY_PROCESSOR_COUNT: (c: {processors: number; limit: number; limitedBy: string}) => ({
		message: `${c.processors} processors were asked for; a machine has 1 to ${c.limit} (the limit of ${c.limitedBy})`,
		remedy: `Choose a count from 1 to ${c.limit}`,
	}),
	TOPOLOGY_VPS_PER_SOCKET: (c: {vpsPerSocket: number; limit: number}) => ({
		message: `${c.vpsPerSocket} processors per socket were asked for; a socket holds 1 to ${c.limit}`,
		remedy: `Choose a whole number from 1 to ${c.limit}, or leave it out`,
	}),
	TOPOLOGY_SMT_IMPOSSIBLE: (c: {vpsPerSocket: number}) => ({
		message: `SMT was forced on sockets of ${c.vpsPerSocket} processor, but two threads need a socket of two`,
		remedy: 'Use at least 2 processors per socket, or SMT off',
	}),
	TOPOLOGY_APIC_ID_OFFSET: (c: {apicIdOffset: number}) => ({
		message: `APIC id offset ${c.apicIdOffset} is not a whole number from 0 to 4294967294`,
		remedy: 'Choose a smaller offset',
	}),
	TOPOLOGY_XAPIC_LIMIT: (c: {maxApicId: number; processors: number}) => ({
		message: `x2APIC is off, but ${c.processors} processors need APIC ids up to ${c.maxApicId}; without x2APIC the highest is 254`,
		remedy: 'Use fewer processors, a smaller APIC id offset, or x2APIC auto',
	}),
	TOPOLOGY_APIC_ID_LIMIT: (c: {maxApicId: number; limit: number}) => ({
		message: `The processors need APIC ids up to ${c.maxApicId}; the highest this host allows is ${c.limit}`,
		remedy: 'Use fewer processors, larger sockets or a smaller APIC id offset',
	}),
	MEMORY_SIZE_INVALID: (c: {size: number}) => ({
		message: `Memory size ${c.size} bytes is not a positive whole number of bytes`,
		remedy: 'Ask for memory such as 1G or 512M',
	}),
	MEMORY_SIZE_UNALIGNED: (c: {size: number; pageSize: number}) => ({
		message: `Memory size ${c.size} bytes is not a multiple of the page size, ${c.pageSize} bytes`,
		remedy: `Round it to a multiple of ${c.pageSize}, such as ${Math.ceil(c.size / c.pageSize) * c.pageSize}`,
	}),
	MEMORY_SIZE_TOO_LARGE: (c: {size: number; limit: number; addressBits: number}) => ({
		message: `Memory size ${c.size} bytes does not fit in ${c.addressBits}-bit guest-physical addresses, which leave room for ${c.limit}`,
		remedy: `Ask for at most ${c.limit} bytes`,
	}),
});
