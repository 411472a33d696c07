<?php
/**
 * Plugin Name: backchannel
 * Description: Hands orders that came from a partner's click to backchannel.
 * Requires PHP: 7.4
 * License: MIT
 *
 * SPDX-License-Identifier: MIT
 *
 * The click cookie is set before WordPress, by the web server or by capture.js: a cached page runs no
 * PHP. Not on woocommerce_thankyou: it comes again with each reload, and not at all if the tab is closed.
 */
defined('ABSPATH') || exit;

// Only orders that are paid? Cash on delivery and bank transfer never fire woocommerce_payment_complete.
defined('BC_ONLY_PAID') || define('BC_ONLY_PAID', false);

/** Keeps the click with the order: the payment provider's webhook has no cookie. */
function bc_order_created($order)
{
    try {
        $order = $order instanceof WC_Order ? $order : wc_get_order($order);
        $click = $_COOKIE['bc_click'] ?? '';
        if ($order && is_string($click) && preg_match('/^[tc]\.[\w-]{4,128}$/D', $click)) {
            $order->update_meta_data('_bc_click', $click);
            $order->save();
            BC_ONLY_PAID || bc_report($order->get_id());
        }
    } catch (Throwable $e) {
        // The order is placed, whatever happened here.
    }
}

/** 300 ms at most. What could not be reported is reported again later; the order's id makes that safe. */
function bc_report($order_id)
{
    try {
        $click = wc_get_order($order_id)->get_meta('_bc_click');
        if ($click && !bc_post(['order' => (string) $order_id, 'click' => $click])) {
            as_schedule_single_action(time() + 300, 'bc_report_again', [$order_id]);
        }
    } catch (Throwable $e) {
        // As above.
    }
}

/** False: no answer, or one that may be another the next time. */
function bc_post(array $report)
{
    $headers = ['Content-Type: application/json'];
    if ($token = getenv('BACKCHANNEL_API_TOKEN')) {
        $headers[] = 'Authorization: Bearer ' . $token;
    }
    // PHP-FPM passes no environment on unless it is told to (clear_env, env[...]).
    $curl = curl_init((getenv('BACKCHANNEL_URL') ?: 'http://127.0.0.1:8787') . '/v1/orders');
    // NOSIGNAL: without it some builds of curl round a timeout below a second up.
    curl_setopt_array($curl, [CURLOPT_POSTFIELDS => json_encode($report), CURLOPT_HTTPHEADER => $headers,
        CURLOPT_TIMEOUT_MS => 300, CURLOPT_NOSIGNAL => true, CURLOPT_RETURNTRANSFER => true, CURLOPT_PROXY => '']);
    curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    curl_close($curl);
    return intdiv($status, 100) === 2 || in_array($status, [400, 409], true);
}

// The classic checkout, and the one of blocks: a shop has either, and may change it any day.
add_action('woocommerce_checkout_order_processed', 'bc_order_created');
add_action('woocommerce_store_api_checkout_order_processed', 'bc_order_created');
add_action('bc_report_again', 'bc_report');
BC_ONLY_PAID && add_action('woocommerce_payment_complete', 'bc_report');
