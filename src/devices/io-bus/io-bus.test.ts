import test from 'ava';
import type {AccessSize} from '#devices/device';
import {
	type BusTarget,
	buildPortTable,
	type Claim,
	checkClaims,
	IoBus,
	UnclaimedCounters,
	UnclaimedState,
} from './index.ts';

const claim = (space: 'pio' | 'mmio', base: number, length: number, device = 0): Claim => {
	return {space, base, length, device, region: 0, deviceName: `d${device}`, name: 'registers'};
};

class Recorder implements BusTarget {
	readonly log: string[] = [];
	read(region: number, offset: number, size: AccessSize): number {
		this.log.push(`r${region}+${offset}/${size}`);
		return 0x10 + offset;
	}
	write(region: number, offset: number, size: AccessSize, value: number): void {
		this.log.push(`w${region}+${offset}/${size}=${value.toString(16)}`);
	}
}

function sample(claims: Claim[]) {
	const targets = [new Recorder(), new Recorder()] as const;
	const unclaimed = new UnclaimedCounters(new SharedArrayBuffer(UnclaimedState.byteLength));
	return {bus: new IoBus(claims, targets, buildPortTable(claims), unclaimed), targets, unclaimed};
}

test('an access reaches its device with the offset in the region', (t) => {
	const {bus, targets} = sample([claim('pio', 0x3f8, 8), claim('mmio', 0xfed00000, 0x1000, 1)]);
	t.is(bus.readPort(0x3fd, 1), 0x15);
	bus.writeMmio(0xfed00010, 4, 0xdeadbeef);
	bus.writeMmio(0xfed00ffc, 4, 1);
	t.deepEqual(targets[0].log, ['r0+5/1']);
	t.deepEqual(targets[1].log, ['w0+16/4=deadbeef', 'w0+4092/4=1']);
});

test('an access no device claims reads all ones and is counted by address', (t) => {
	const {bus, unclaimed} = sample([claim('pio', 0x3f8, 8)]);
	t.is(bus.readPort(0x80, 2), 0xffff);
	bus.writePort(0x80, 1, 5);
	t.is(bus.readMmio(0xe0001234, 4), 0xffffffff);
	t.is(bus.readMmio(0xf_ffff_ffff_f000, 4), 0xffffffff);
	t.deepEqual(unclaimed.list(), [
		{space: 'pio', address: 0x80, count: 2},
		{space: 'mmio', address: 0xe0001000, count: 1},
		{space: 'mmio', address: 0xf_ffff_ffff_f000, count: 1},
	]);
});

test('counting unclaimed pages stays bounded', (t) => {
	const {bus, unclaimed} = sample([]);
	for (let page = 0; page < 5000; page++) bus.readMmio(page * 4096, 1);
	t.true(unclaimed.list().length <= 1024);
});

test('an access that leaves its region is served byte by byte by whoever claims each byte', (t) => {
	const {bus, targets} = sample([claim('pio', 0x10, 2, 0), claim('pio', 0x12, 1, 1)]);
	t.is(bus.readPort(0x11, 4), 0xffff1011);
	bus.writePort(0x11, 2, 0xbbaa);
	t.deepEqual(targets[0].log, ['r0+1/1', 'w0+1/1=aa']);
	t.deepEqual(targets[1].log, ['r0+0/1', 'w0+0/1=bb']);
	bus.writePort(0xffff, 4, 0x12345678);
	t.is(bus.readPort(0xffff, 4), 0xffffffff);
});

test('all overlaps are reported in one error', (t) => {
	const error = t.throws(() => checkClaims([claim('pio', 0, 4), claim('pio', 3, 4, 1), claim('pio', 6, 1, 2)]), {
		code: 'BUS_REGION_OVERLAP',
	});
	t.regex(error.message, /d0.*d1.*d1.*d2/);
	t.throws(() => checkClaims([claim('pio', 0xfffe, 4)]), {code: 'BUS_REGION_OUT_OF_RANGE'});
	t.notThrows(() => checkClaims([claim('pio', 0, 4), claim('mmio', 0, 4)]));
});

test('a claim that yields answers only where no other device and no PCI function does', (t) => {
	const claims = [{...claim('pio', 0x600, 8), yields: true as const}, claim('pio', 0x602, 2, 1)];
	t.notThrows(() => checkClaims(claims));
	const targets = [new Recorder(), new Recorder()] as const;
	const unclaimed = new UnclaimedCounters(new SharedArrayBuffer(UnclaimedState.byteLength));
	const inBar = (port: number) => port === 0x606;
	const pci = {
		readPort: (port: number) => (inBar(port) ? 0x77 : undefined),
		writePort: (port: number) => inBar(port),
	};
	const bus = new IoBus(claims, targets, buildPortTable(claims), unclaimed, pci);
	bus.writePort(0x604, 2, 0x2000);
	bus.writePort(0x602, 2, 1);
	t.is(bus.readPort(0x606, 1), 0x77);
	bus.writePort(0x606, 1, 2);
	t.is(bus.readPort(0x600, 1), 0x10);
	t.deepEqual(targets[0].log, ['w0+4/2=2000', 'r0+0/1']);
	t.deepEqual(targets[1].log, ['w0+0/2=1']);
	t.deepEqual(unclaimed.list(), []);
});
