/** Local APICs: interrupts between processors, from devices, and from the timer of each. */
export type {ApicOffer, ApicSpec} from './base-register.ts';
export {type ApicOutside, type ApicRequests, isApicMsr, LocalApic} from './local-apic.ts';
export {LocalApics, type LocalSource} from './local-apics.ts';
export type {SavedLocalApic} from './saved-apic.ts';
export type {ApicClock} from './timer.ts';
