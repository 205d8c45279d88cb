/** What a training is asked for, and what it gives. */
import type { Score } from '../data/score.ts';

export interface TrainArgs {
  plan: string;
  out: string;
  /** Stops after so many steps; the schedule stays that of the whole run. */
  steps?: number;
  /** Evaluates before and after. */
  evaluate: boolean;
  /** Goes on from the newest whole checkpoint of `out`; from the start where there is none. */
  resume?: boolean;
  /** Resumes although the program, the data or the base model changed; the run is then marked as not exact. */
  force?: boolean;
}

export interface TrainResult {
  adapter: string;
  steps: number;
  loss: number;
  validation?: number;
  seconds: number;
  evaluations: { name: string; before: Score; after: Score }[];
  stopped: boolean;
  /** Step of the checkpoint this run went on from. */
  resumedFrom?: number;
  /** Step whose parameters are in the adapter, when validation said that it was better than the last. */
  best?: number;
  /** Running the same again gives the same bytes. */
  exact: boolean;
}
