import {MouseId} from './mouse-commands.ts';

/** What a packet reports: right, up, and the wheel towards the user are positive. */
export interface Movement {
	readonly x: number;
	readonly y: number;
	readonly z: number;
	/** Left, right, middle, fourth, fifth from bit 0 on. */
	readonly buttons: number;
}

const alwaysSet = 1 << 3;
const xBits = {negative: 1 << 4, overflow: 1 << 6};
const yBits = {negative: 1 << 5, overflow: 1 << 7};

export const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

/** The packet of a mouse with this ID (IBM PS/2 Hardware Interface Technical Reference; Microsoft, IntelliMouse). */
export function mousePacket(id: number, {x, y, z, buttons}: Movement): readonly number[] {
	const first = alwaysSet | (buttons & 0x07) | flags(x, xBits) | flags(y, yBits);
	const packet = [first, counter(x), counter(y)];
	if (id === MouseId.WHEEL) packet.push(wheel(z) & 0xff);
	if (id === MouseId.FIVE_BUTTONS) packet.push((wheel(z) & 0x0f) | ((buttons & 0x18) << 1));
	return packet;
}

/** Movement with 2:1 scaling, which holds for reports in stream mode. */
export function scaled(value: number): number {
	const size = Math.abs(value);
	return Math.sign(value) * ([0, 1, 1, 3, 6, 9][size] ?? 2 * size);
}

const counter = (value: number) => clamp(value, -256, 255) & 0xff;
const wheel = (value: number) => clamp(value, -8, 7);

const flags = (value: number, {negative, overflow}: typeof xBits) =>
	(value < 0 ? negative : 0) | (value < -256 || value > 255 ? overflow : 0);
