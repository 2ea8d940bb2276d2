import type {ViewOf} from '#support/wire';
import {Config} from './registers.ts';
import type {HpetTimer} from './state.ts';

/** One timer's part of the shared state. */
export type TimerView = ViewOf<typeof HpetTimer>;

/** True for a timer that works by level. Messages have no level (Tn_FSB_EN_CNF). */
export const isLevel = ({config}: TimerView): boolean => (config & (Config.LEVEL | Config.FSB)) === Config.LEVEL;

/** True for a timer in periodic mode. */
export const isPeriodic = ({config}: TimerView): boolean => (config & Config.PERIODIC) !== 0;

/** True for a timer that compares only the lower 32 bits. */
export const is32Bit = ({config}: TimerView): boolean => (config & Config.MODE_32) !== 0;

/** True for a timer whose matches interrupt. */
export const interrupts = ({config}: TimerView): boolean => (config & Config.INTERRUPT) !== 0;
