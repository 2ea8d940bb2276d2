import {DiskOperation} from '#devices/storage/disk';
import type {FieldsView} from '#support/wire';
import type {DataPointer} from './data-pointer.ts';
import {FeaturePlace} from './features.ts';
import {mostNamespaceId} from './handle.ts';
import {type IoRequest, mostClearedRanges} from './io-request.ts';
import {ClearedRange, type Command} from './layout.ts';
import type {Namespace, Namespaces} from './namespaces.ts';
import {everyNamespace, IoOpcode} from './opcodes.ts';
import type {ControllerState} from './state.ts';
import {CommandStatus} from './status.ts';

const [fuaBit, deallocateBit] = [2 ** 30, 2 ** 25];
/** Attribute of Dataset Management in dword 11: the ranges may be deallocated. */
const deallocateAttribute = 0x4;

type CommandView = FieldsView<typeof Command.fields>;

/** Starts I/O commands on disks. */
export class IoCommands {
	readonly #namespaces: Namespaces;
	readonly #pointer: DataPointer;
	readonly #state: ControllerState;

	constructor(namespaces: Namespaces, pointer: DataPointer, state: ControllerState) {
		this.#namespaces = namespaces;
		this.#pointer = pointer;
		this.#state = state;
	}

	/**
	 * @returns what is wrong with the command; undefined where the request has it, whose owner is told of its end
	 */
	start(command: CommandView, request: IoRequest): CommandStatus | undefined {
		const {opcode, nsid} = command;
		if (opcode === IoOpcode.FLUSH && nsid === everyNamespace) {
			request.flushAll(this.#namespaces.attached);
			return undefined;
		}
		const namespace = this.#namespaces.find(nsid);
		if (namespace === undefined)
			return nsid === 0 || nsid > mostNamespaceId ? CommandStatus.INVALID_NAMESPACE : CommandStatus.INVALID_FIELD;
		switch (opcode) {
			case IoOpcode.FLUSH:
				request.flush(namespace);
				return undefined;
			case IoOpcode.READ:
				return this.#transfer(command, request, namespace, DiskOperation.READ);
			case IoOpcode.WRITE:
				return this.#transfer(command, request, namespace, DiskOperation.WRITE);
			case IoOpcode.WRITE_ZEROES:
				return this.#zero(command, request, namespace);
			case IoOpcode.DATASET:
				return this.#manage(command, request, namespace);
			default:
				return CommandStatus.INVALID_OPCODE;
		}
	}

	#transfer(
		command: CommandView,
		request: IoRequest,
		namespace: Namespace,
		operation: 0 | 1,
	): CommandStatus | undefined {
		const isRead = operation === DiskOperation.READ;
		const {disk, blockShift} = namespace;
		const blocks = (command.dword12 & 0xffff) + 1;
		const first = command.dword11 * 2 ** 32 + command.dword10;
		const length = blocks * 2 ** blockShift;
		const wrong = this.#pointer.find(command, length);
		if (wrong !== CommandStatus.SUCCESS) return wrong;
		if ((first + blocks) * 2 ** blockShift > disk.bytes) return CommandStatus.LBA_RANGE;
		if (!isRead && disk.isReadOnly) return CommandStatus.WRITE_PROTECTED;
		if (!this.#pointer.pin(isRead ? 'write' : 'read', request.vectors)) return CommandStatus.DATA_TRANSFER;
		const isDurable = (command.dword12 & fuaBit) !== 0 || (!isRead && this.#isWriteThrough);
		request.transfer(operation, namespace, first * 2 ** blockShift, length, isDurable);
		return undefined;
	}

	#zero({dword10, dword11, dword12}: CommandView, request: IoRequest, namespace: Namespace): CommandStatus | undefined {
		const {disk, blockShift} = namespace;
		const blocks = (dword12 & 0xffff) + 1;
		const first = dword11 * 2 ** 32 + dword10;
		const length = blocks * 2 ** blockShift;
		if (length > disk.geometry.mostClearedBytes) return CommandStatus.INVALID_FIELD;
		if ((first + blocks) * 2 ** blockShift > disk.bytes) return CommandStatus.LBA_RANGE;
		if (disk.isReadOnly) return CommandStatus.WRITE_PROTECTED;
		const isDurable = (dword12 & fuaBit) !== 0 || this.#isWriteThrough;
		request.zero(namespace, first * 2 ** blockShift, length, (dword12 & deallocateBit) !== 0, isDurable);
		return undefined;
	}

	/** Dataset Management: what a driver says beside that ranges are not needed is of no interest (3.2.3). */
	#manage(command: CommandView, request: IoRequest, namespace: Namespace): CommandStatus | undefined {
		const count = (command.dword10 & 0xff) + 1;
		if ((command.dword11 & deallocateAttribute) === 0) return CommandStatus.SUCCESS;
		if (count > mostClearedRanges) return CommandStatus.SIZE_LIMIT;
		const wrong = this.#pointer.find(command, count * ClearedRange.size);
		if (wrong !== CommandStatus.SUCCESS) return wrong;
		if (!this.#pointer.pin('read', request.vectors)) return CommandStatus.DATA_TRANSFER;
		return request.deallocate(namespace, count);
	}

	/** The driver has turned the volatile write cache off. */
	get #isWriteThrough(): boolean {
		return this.#state.features[FeaturePlace.WRITE_CACHE] === 0;
	}
}
