/* SPDX-License-Identifier: MIT */
/*
 * One leased conversion: job_start sends -> job_answered judges -> settle_* decides -> FINISH makes
 * it durable -> job_finished tells. A job ends only when its result is on disk, or when the process
 * stops.
 */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "core/delivery_impl.h"

enum {
	JOB_ARENA_BYTES = 2048,
	JOB_ARENA_MAX = 64 * 1024,
	STORE_RETRY_MS = 1000,
	ERROR_TEXT_BYTES = 224
};

static void job_unlink(struct job *job)
{
	*job->slot = job->next;
	if (job->next)
		job->next->slot = job->slot;
}

void job_end(struct job *job)
{
	struct lane *lane = job->lane;
	bc_handback_finish(&job->handback);
	bc_timer_destroy(job->retry_finish);
	job_unlink(job);
	bc_arena_destroy(job->arena);
	BC_ASSERT(lane->in_flight > 0);
	lane->in_flight--;
	lane_publish(lane);
	if (lane->again)
		delivery_lane_fill(lane);
	delivery_check_stopped(lane->delivery);
}

static void job_store(struct job *job)
{
	job->storing = true;
	delivery_submit(job->lane->delivery, &job->finish);
}

static void job_finish_again(void *ctx)
{
	job_store(ctx);
}

static void log_finished(const struct job *job)
{
	const __typeof__(job->finish.in.finish) *in = &job->finish.in.finish;
	bc_log_info(in->next == BC_ORDER_PENDING ? "conversion.later" : "conversion.final",
		    BC_LSTR("order", job->order.order), BC_LS("lane", job->lane->name),
		    BC_LS("state", bc_order_state_name(in->next)), BC_LU("attempt", in->n),
		    BC_LI("status", in->status),
		    BC_LS("outcome", bc_outcome_name((enum bc_outcome)in->outcome)),
		    BC_LU("duration_ms", in->duration_ms), BC_LSTR("error", in->error));
}

/* The result of an attempt is on disk, or was refused: then it is tried until the store takes it.
 */
static void job_finished(struct bc_store_op *op)
{
	struct job *job = BC_CONTAINER(op, struct job, finish);
	struct bc_delivery *d = job->lane->delivery;
	d->operations--;
	job->storing = false;
	job->unsure |= op->result == BC_EUNSURE;
	/* It is known already: the time before, nobody could say whether it landed. */
	int result = op->result == BC_ESTATE && job->unsure ? 0 : op->result;
	if (result && result != BC_ENOENT && result != BC_ESTATE && !d->stopping) {
		bc_log_warning("conversion.result_kept", BC_LSTR("order", job->order.order),
			       BC_LS("error", op->err.text));
		if (!job->retry_finish)
			job->retry_finish = bc_timer_create(d->loop, job_finish_again, job);
		if (job->retry_finish) {
			bc_timer_start(job->retry_finish, STORE_RETRY_MS);
			return;
		}
		delivery_forgot(d);
	}
	if (result == 0) {
		log_finished(job);
		if (op->in.finish.next != BC_ORDER_PENDING && d->shop->on_final)
			d->shop->on_final(d->shop->ctx, job->order.order);
		else if (op->in.finish.next == BC_ORDER_PENDING)
			bc_delivery_wake(d);
	}
	job_end(job);
}

void job_settle(struct job *job, const struct job_end *end)
{
	struct bc_delivery *d = job->lane->delivery;
	__typeof__(job->finish.in.finish) *in = &job->finish.in.finish;
	in->next = end->next;
	in->reason = end->reason;
	in->due_ms = end->due_ms;
	in->count_failure = end->count_failure;
	in->now_ms = bc_wall_ms(d->shop->clock);
	in->clear_token = end->next == BC_ORDER_DELIVERED && d->desk.config->order_keep_ms == 0;
	in->comment = (end->next == BC_ORDER_DELIVERED && d->desk.config->comment_delivered) ||
		      (end->next == BC_ORDER_REJECTED && d->desk.config->comment_rejected);
	job_store(job);
}

static void settle_delivered(struct job *job, const struct bc_partner_verdict *v, uint64_t wait_ms)
{
	(void)wait_ms;
	lane_answered(job->lane, job);
	if (v->odd_body)
		bc_log_warning("conversion.odd_echo", BC_LSTR("order", job->order.order),
			       BC_LS("lane", job->lane->name), BC_LS("meaning", v->meaning));
	job_settle(job, &(struct job_end){ .next = BC_ORDER_DELIVERED });
}

static void settle_retry(struct job *job, const struct bc_partner_verdict *v, uint64_t wait_ms)
{
	const struct bc_delivery *d = job->lane->delivery;
	uint64_t random;
	(void)v;
	lane_failed(job->lane, job, job->finish.in.finish.status, wait_ms);
	bc_random(&random, sizeof(random));
	uint64_t delay =
		bc_retry_delay_ms(&d->desk.config->retry, job->order.failures + 1, wait_ms, random);
	job_settle(job, &(struct job_end){ .next = BC_ORDER_PENDING,
					   .due_ms = bc_wall_ms(d->shop->clock) + delay,
					   .count_failure = true });
}

static void settle_suspect(struct job *job, const struct bc_partner_verdict *v, uint64_t wait_ms)
{
	(void)wait_ms;
	lane_suspect(job->lane, job, v);
}

static void settle_reject(struct job *job, const struct bc_partner_verdict *v, uint64_t wait_ms)
{
	(void)wait_ms;
	lane_answered(job->lane, job);
	job_settle(job,
		   &(struct job_end){ .next = BC_ORDER_REJECTED, .reason = bc_str_of(v->meaning) });
}

static void (*const settle[BC_OUTCOMES])(struct job *, const struct bc_partner_verdict *,
					 uint64_t) = {
	[BC_OUTCOME_UNKNOWN] = settle_retry, [BC_OUTCOME_DELIVERED] = settle_delivered,
	[BC_OUTCOME_RETRY] = settle_retry,   [BC_OUTCOME_SUSPECT] = settle_suspect,
	[BC_OUTCOME_REJECT] = settle_reject,
};

/* --- its request --------------------------------------------------------------------------- */

static uint64_t retry_after_ms(const struct bc_delivery *d, const struct bc_http_answer *answer)
{
	uint64_t ms = 0;
	if (!answer->retry_after || bc_retry_after_parse(answer->retry_after, answer->date,
							 bc_wall_ms(d->shop->clock), &ms))
		return 0;
	return ms;
}

static void count_attempt(struct lane *lane, enum bc_outcome outcome, uint64_t duration_ms)
{
	struct bc_shop_stats *stats = &lane->delivery->shop->stats;
	size_t i = 0;
	lane->attempts[outcome]++;
	while (i < BC_DURATION_BUCKETS && duration_ms > bc_duration_bound_ms[i])
		i++;
	atomic_fetch_add_explicit(&stats->duration_bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&stats->duration_ms_sum, duration_ms, memory_order_relaxed);
	atomic_fetch_add_explicit(&stats->duration_count, 1, memory_order_relaxed);
}

static struct bc_partner_verdict judge(const struct job *job, const struct bc_http_answer *answer)
{
	const struct bc_order *o = &job->order;
	uint64_t now = bc_wall_ms(job->lane->delivery->shop->clock);
	uint64_t age = o->click_ms && now >= o->click_ms ? now - o->click_ms : UINT64_MAX;
	return bc_handback_read(&job->handback, o->token, age, o->attempts, answer);
}

/* For the ledger: our words, then the transport's where there was no answer, else the partner's. */
static struct bc_str describe(const struct job *job, const struct bc_partner_verdict *verdict,
			      const struct bc_http_answer *answer)
{
	char said[BC_PARTNER_MESSAGE_BYTES];
	const char *more = answer->error_text;
	if (!more[0])
		more = bc_partner_message(answer, job->order.token, said);
	char *text = bc_arena_printf(job->arena, "%.*s%s%s%s", ERROR_TEXT_BYTES, verdict->meaning,
				     more[0] ? " (" : "", more, more[0] ? ")" : "");
	return bc_str_of(text ? text : verdict->meaning);
}

static void job_answered(void *ctx, const struct bc_http_answer *answer)
{
	struct job *job = ctx;
	struct lane *lane = job->lane;
	job->handback.call = NULL;
	struct bc_partner_verdict verdict = judge(job, answer);
	count_attempt(lane, verdict.outcome, answer->duration_ms);
	__typeof__(job->finish.in.finish) *in = &job->finish.in.finish;
	in->status = answer->status;
	in->outcome = verdict.outcome;
	in->duration_ms = answer->duration_ms;
	if (verdict.outcome != BC_OUTCOME_DELIVERED || verdict.odd_body)
		in->error = describe(job, &verdict, answer);
	settle[verdict.outcome](job, &verdict, retry_after_ms(lane->delivery, answer));
}

static int job_send(struct job *job, struct bc_err *err)
{
	struct bc_delivery *d = job->lane->delivery;
	return bc_handback_start_order(&job->handback, d->client, d->desk.config,
				       job->lane->product, &job->order, job->order.token,
				       job_answered, job, err);
}

static int copy_order(struct bc_arena *arena, struct bc_order *to, const struct bc_order *from)
{
	*to = *from;
	to->order.ptr = bc_arena_dup(arena, from->order.ptr, from->order.len);
	to->token.ptr = bc_arena_dup(arena, from->token.ptr, from->token.len);
	to->amount.ptr = bc_arena_dup(arena, from->amount.ptr, from->amount.len);
	to->currency.ptr = bc_arena_dup(arena, from->currency.ptr, from->currency.len);
	return to->order.ptr && to->token.ptr && to->amount.ptr && to->currency.ptr ? 0 : BC_ENOMEM;
}

static struct job *job_create(struct lane *lane, const struct bc_order *order)
{
	struct bc_arena *arena = bc_arena_create(JOB_ARENA_BYTES, JOB_ARENA_MAX);
	struct job *job = arena ? bc_arena_alloc(arena, sizeof(*job)) : NULL;
	if (!job || copy_order(arena, &job->order, order)) {
		bc_arena_destroy(arena);
		return NULL;
	}
	struct bc_delivery *d = lane->delivery;
	job->arena = arena;
	job->lane = lane;
	job->trial = lane->trial;
	job->finish = (struct bc_store_op){ .kind = BC_STORE_FINISH,
					    .done = job_finished,
					    .arena = arena };
	job->finish.in.finish.order = job->order.order;
	job->finish.in.finish.n = order->attempts;
	job->next = d->jobs;
	job->slot = &d->jobs;
	if (d->jobs)
		d->jobs->slot = &job->next;
	d->jobs = job;
	return job;
}

/* The lane stopped sending while the row was on its way here: the ledger says that it stayed. */
static void put_back_unsent(struct job *job)
{
	job->finish.in.finish.outcome = BC_OUTCOME_RETRY;
	job->finish.in.finish.error = BC_STR("not sent: the lane stopped sending");
	lane_put_back(job, 0);
}

/* Nothing left. What this conversion lacks for its partner no repeat brings: it is rejected, with
 * words; the operator may requeue it. Anything else is tried again. */
static void could_not_send(struct job *job, int code, const struct bc_err *err)
{
	struct bc_str text = bc_str_of(bc_arena_dup(job->arena, err->text, strlen(err->text)));
	job->finish.in.finish.error = text;
	if (code == BC_ENOENT) {
		job->finish.in.finish.outcome = BC_OUTCOME_REJECT;
		job_settle(job, &(struct job_end){ .next = BC_ORDER_REJECTED, .reason = text });
		return;
	}
	job->finish.in.finish.outcome = BC_OUTCOME_RETRY;
	settle_retry(job, NULL, 0);
}

/* A leased row that cannot even be started (no memory) is released later, with what else is leased
 * by then. */
void job_start(struct lane *lane, const struct bc_order *order)
{
	struct bc_err err = { 0 };
	struct job *job = job_create(lane, order);
	if (!job) {
		bc_log_error("conversion.no_memory", BC_LSTR("order", order->order));
		delivery_forgot(lane->delivery);
		return;
	}
	lane->in_flight++;
	if (!lane_sends(lane)) {
		put_back_unsent(job);
		return;
	}
	int result = job_send(job, &err);
	if (result)
		could_not_send(job, result, &err);
}
