import {logLevels} from '#main/config';
import {type Children, choiceWriter, leaf, object} from '#support/inspect';
import type {Logger} from './logger.ts';

/** `log` in the tree: how much is logged, to be changed while the machine runs. */
export const logNodes = (log: Logger): Children => ({
	log: object(() => ({
		level: leaf(() => log.level, {
			writer: choiceWriter(logLevels, (level) => {
				log.level = level;
			}),
		}),
	})),
});
