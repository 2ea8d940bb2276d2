import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {FakeReactor} from '#devices/testing';
import {VmTime, VmTimeState} from '#devices/vm-time';
import type {VmbusChannel, VmbusPacket} from './vmbus.ts';
import {NtStatus, Operation, Packet, type ScsiResult, Srb, vmbusStorage} from './vmbus-storage.ts';

const data = 0x8000;

/** A channel whose rings are lists, over real memory. */
class ListChannel implements VmbusChannel {
	readonly index: number;
	readonly target = 0;
	readonly packets: VmbusPacket[] = [];
	readonly completed: {packet: VmbusPacket; status: number; body: Uint8Array}[] = [];
	readonly sent: number[] = [];
	isFull = false;

	constructor(index: number) {
		this.index = index;
	}

	/** @returns the packet, of the guest's */
	put(operation: number, body: Uint8Array = new Uint8Array(52), more: Partial<VmbusPacket> = {}): VmbusPacket {
		const payload = Packet.encode({operation, flags: 1, status: 0, body});
		const packet = {wantsCompletion: true, payload, ...more};
		this.packets.push(packet);
		return packet;
	}

	next(): VmbusPacket | undefined {
		return this.packets.shift();
	}

	complete(packet: VmbusPacket, payload: Uint8Array): void {
		const {operation, status, body} = Packet.read(payload);
		if (operation !== Operation.COMPLETE_IO) throw new RangeError(`${operation} completes nothing`);
		this.completed.push({packet, status, body});
	}

	send(payload: Uint8Array): boolean {
		if (!this.isFull) this.sent.push(Packet.read(payload).operation);
		return !this.isFull;
	}
}

test('vmbus storage: a guest agrees on a version, opens a subchannel and has commands on it; none is in flight behind a close', async (t) => {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: 0x10_0000}));
	const reactor = new FakeReactor();
	const subchannels: number[] = [];
	let rescinds = 0;
	const commands: [lun: number, cdb: number[], bytes: number, finish: (result: ScsiResult) => void][] = [];
	const {attach, owned} = vmbusStorage({
		execute: (lun, cdb, vectors) =>
			new Promise((resolve) => void commands.push([lun, [...cdb], vectors.length(0), resolve])),
	});
	const offerSubchannels = (count: number) => {
		const isPossible = count <= attach.vmbus.mostSubchannels;
		if (isPossible) subchannels.push(count);
		return isPossible;
	};
	const vmbus = {offerSubchannels, rescind: async () => void rescinds++};
	const time = new VmTime(new SharedArrayBuffer(VmTimeState.byteLength));
	const make = () => owned.make({instance: '00000000-0000-8899-0000-000000000000'}, {reactor, time, vmbus});
	const device = make();
	const [primary, second] = [new ListChannel(0), new ListChannel(1)];
	const ask = (operation: number, word = 0) => {
		primary.put(operation, Uint8Array.of(word & 0xff, word >> 8, ...new Uint8Array(50)));
		device.ready(primary);
		return primary.completed.at(-1)?.status;
	};
	t.true(device.opened(primary));
	t.is(ask(Operation.EXECUTE_SRB), NtStatus.INVALID_DEVICE_STATE);
	t.is(ask(Operation.QUERY_PROPERTIES), NtStatus.INVALID_DEVICE_STATE);
	t.is(ask(Operation.BEGIN_INITIALIZATION), NtStatus.SUCCESS);
	t.is(ask(Operation.QUERY_PROTOCOL_VERSION, 0x0700), NtStatus.REVISION_MISMATCH);
	t.is(ask(Operation.QUERY_PROTOCOL_VERSION, 0x0602), NtStatus.SUCCESS);
	t.is(ask(Operation.QUERY_PROPERTIES), NtStatus.SUCCESS);
	t.deepEqual([...(primary.completed.at(-1)?.body.subarray(4, 16) ?? [])], [8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0]);
	device.control?.({kind: 'disks-changed'});
	t.is(ask(Operation.END_INITIALIZATION), NtStatus.SUCCESS);
	t.deepEqual(primary.sent, [Operation.ENUMERATE_BUS], 'once the guest knows what disks are');
	t.is(ask(Operation.CREATE_SUB_CHANNELS, 9), NtStatus.INVALID_PARAMETER);
	t.is(ask(Operation.CREATE_SUB_CHANNELS, 1), NtStatus.SUCCESS);
	t.deepEqual(subchannels, [1]);

	t.true(device.opened(second));
	const pages: VmbusPacket['pages'] = {
		length: 0x1800,
		read: (offset, target) => memory.copyOut(data + offset, target),
		write: (offset, source) => memory.copyIn(data + offset, source),
		pin: (direction, vectors, offset = 0, length = 0) => memory.pin(data + offset, length, direction, vectors),
	};
	const read10 = Uint8Array.of(0x28, 0, 0, 0, 0, 8, 0, 0, 12, 0);
	const srb = {
		length: Srb.size,
		srbStatus: 0,
		scsiStatus: 0,
		port: 0,
		path: 0,
		target: 0,
		lun: 3,
		cdbLength: 10,
		senseLength: 20,
		dataIn: 1,
		dataLength: 0x1800,
		data: read10,
		windows8: new Uint8Array(16),
	};
	const [good, bad] = [srb, srb].map((each) => second.put(Operation.EXECUTE_SRB, Srb.encode(each), {pages}));
	const tooLong = second.put(Operation.EXECUTE_SRB, Srb.encode({...srb, dataLength: 0x1801}), {pages});
	const short = second.put(Operation.EXECUTE_SRB, undefined, {payload: new Uint8Array(8)});
	device.ready(second);
	await new Promise(setImmediate);
	t.deepEqual(
		second.completed.map(({packet}) => packet),
		[short, tooLong],
	);
	t.deepEqual(
		commands.map(([lun, cdb, bytes]) => [lun, cdb, bytes]),
		[
			[3, [...read10], 0x1800],
			[3, [...read10], 0x1800],
		],
	);
	let isClosed = false;
	const closed = device.closed(second).then(() => {
		isClosed = true;
	});
	commands[1]?.[3]({status: 2, length: 0, sense: Uint8Array.of(0x70, 0, 3)});
	await new Promise(setImmediate);
	t.false(isClosed);
	commands[0]?.[3]({status: 0, length: 0x1800});
	await closed;
	const results = second.completed.slice(2).map(({packet, status, body}) => ({packet, status, ...Srb.read(body)}));
	t.like(results[0], {packet: bad, status: 0, srbStatus: 0x84, scsiStatus: 2, senseLength: 3, dataLength: 0});
	t.deepEqual([...(results[0]?.data.subarray(0, 3) ?? [])], [0x70, 0, 3]);
	t.like(results[1], {packet: good, status: 0, srbStatus: 1, scsiStatus: 0, senseLength: 0, dataLength: 0x1800});

	primary.isFull = true;
	device.control?.({kind: 'disks-changed'});
	const other = make();
	await other.restore(owned.version, await device.save());
	other.opened(primary);
	primary.isFull = false;
	other.ready(primary);
	t.is(primary.sent.length, 2, 'what there was no room for');
	t.deepEqual(await other.inspect?.(), {channels: 1, step: 'ready'});
	t.throws(() => make().restore(1, Uint8Array.of(9, 0)), {message: /no state/});
	other.control?.({kind: 'unplug'});
	await other.closed(primary);
	t.is(rescinds, 1);
	t.deepEqual(await other.inspect?.(), {channels: 0, step: 0});
});
