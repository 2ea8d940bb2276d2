import type {DirtySource, MappedRange, PageVisitor} from '#devices/guest-memory';
import {Cap, DirtyLog} from './constants.ts';
import type {KvmVm, MemorySlot} from './kvm-vm.ts';

const pageSize = 4096;
/** Pages that one call watches anew: KVM holds its lock meanwhile, for which the guest's page faults wait. */
const chunkPages = 0x10000;

/** The memory slots of a VM, one for each range, and KVM's dirty log of them. */
export class KvmMemory implements DirtySource {
	readonly #vm: KvmVm;
	/** Reading the log leaves its pages as they are, so that they can be watched anew in chunks. */
	readonly #clearsInChunks: boolean;
	#slots: MemorySlot[] = [];
	#watchers = 0;
	/** Room for the log of any slot, while somebody watches. */
	#log = new ArrayBuffer(0);

	/** @param vm - its memory is this object's from now on */
	constructor(vm: KvmVm, clearsInChunks = canClearInChunks(vm)) {
		this.#vm = vm;
		this.#clearsInChunks = clearsInChunks;
		if (clearsInChunks) vm.enableManualDirtyLog();
	}

	/** Puts memory where nothing is mapped. */
	map({gpa, length, hostAddress}: Pick<MappedRange, 'gpa' | 'length' | 'hostAddress'>): void {
		const slot = {slot: this.#slots.length, gpa, length, hostAddress: BigInt(hostAddress)};
		this.#vm.setMemory({...slot, logDirty: this.#watchers > 0});
		this.#slots.push(slot);
	}

	start(): void {
		if (this.#watchers === 0) this.#watch();
		this.#watchers++;
	}

	stop(): void {
		this.#watchers--;
		if (this.#watchers === 0) this.#unwatch();
	}

	collect(visit: PageVisitor): void {
		for (const slot of this.#slots) {
			const bitmap = this.#take(slot);
			eachRun(bitmap, (page, count) => visit(slot.gpa + page * pageSize, count * pageSize));
		}
	}

	/** The VM is about to end: nobody has anything to ask any more. */
	forget(): void {
		this.#slots = [];
	}

	#watch(): void {
		try {
			for (const slot of this.#slots) this.#vm.setMemory({...slot, logDirty: true});
		} catch (error) {
			this.#unwatch();
			throw error;
		}
	}

	#unwatch(): void {
		for (const slot of this.#slots) this.#vm.setMemory(slot);
		this.#log = new ArrayBuffer(0);
	}

	/** The pages of a slot that were written, which are watched anew: before anybody looks at what is in them. */
	#take({slot, length}: MemorySlot): Uint32Array {
		const pages = length / pageSize;
		const byteLength = Math.ceil(pages / 64) * 8;
		if (this.#log.byteLength < byteLength) this.#log = new ArrayBuffer(byteLength);
		const bytes = new Uint8Array(this.#log, 0, byteLength);
		const bitmap = new Uint32Array(this.#log, 0, byteLength / 4);
		this.#vm.readDirtyLog(slot, bytes);
		if (!this.#clearsInChunks) return bitmap;
		for (let first = 0; first < pages; first += chunkPages) {
			const count = Math.min(chunkPages, pages - first);
			const isWritten = bitmap.subarray(first / 32, (first + count + 31) / 32).some((word) => word !== 0);
			if (isWritten) this.#vm.clearDirtyLog(slot, bytes.subarray(first / 8), first, count);
		}
		return bitmap;
	}
}

/** Kernels from 5.0 on (Documentation/virt/kvm/api.rst, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2). */
const canClearInChunks = (vm: KvmVm): boolean =>
	(vm.checkExtension(Cap.MANUAL_DIRTY_LOG_PROTECT2) & DirtyLog.MANUAL_PROTECT_ENABLE) !== 0;

/** Calls `visit` for the runs of bits that are set, lowest first: of a dirty log, whose bits are pages. */
export function eachRun(bitmap: Uint32Array, visit: (first: number, count: number) => void): void {
	let start = -1;
	for (let index = 0; index < bitmap.length; index++) {
		const word = bitmap[index] as number;
		// Nothing begins or ends here.
		if (word === (start < 0 ? 0 : 0xffff_ffff)) continue;
		for (let bit = 0; bit < 32; bit++) {
			const isSet = ((word >>> bit) & 1) !== 0;
			if (isSet === start >= 0) continue;
			const at = index * 32 + bit;
			if (!isSet) visit(start, at - start);
			start = isSet ? at : -1;
		}
	}
	if (start >= 0) visit(start, bitmap.length * 32 - start);
}
