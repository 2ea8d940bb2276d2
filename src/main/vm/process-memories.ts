import {CommonMemories} from '#devices/machine';

/** Memory that devices of this process's machines have in common by its name, such as a switch that connects them. */
export const processMemories = new CommonMemories();
