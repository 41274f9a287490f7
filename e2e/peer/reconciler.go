package main

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
)

// reconciler reads from the manager's cache, and writes only what differs from it.
type reconciler struct {
	client.Client
	template *template
}

func (r *reconciler) setUp(manager ctrl.Manager, workers int) error {
	return ctrl.NewControllerManagedBy(manager).
		For(&WebhookSchedule{}).
		Owns(&batchv1.CronJob{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
}

// Reconcile brings the CronJob and then the status of a schedule to what the template says.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var schedule WebhookSchedule
	if err := r.Get(ctx, request.NamespacedName, &schedule); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !schedule.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	err := r.applyCronJob(ctx, &schedule)
	if err == nil {
		err = r.updateStatus(ctx, &schedule)
	}
	// The cache is behind what was written. The event that brings it up to date has the schedule reconciled anew.
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, err
}

func (r *reconciler) applyCronJob(ctx context.Context, schedule *WebhookSchedule) error {
	wanted := r.template.cronJob(schedule)
	var current batchv1.CronJob
	err := r.Get(ctx, client.ObjectKeyFromObject(wanted), &current)
	if apierrors.IsNotFound(err) {
		if err := ctrl.SetControllerReference(schedule, wanted, r.Scheme()); err != nil {
			return err
		}
		// As Postern does: an admission policy of Postern forbids it.
		wanted.OwnerReferences[0].BlockOwnerDeletion = nil
		return r.Create(ctx, wanted)
	}
	// What the API server sets by default isn't compared.
	if err != nil || equality.Semantic.DeepDerivative(wanted.Spec, current.Spec) {
		return err
	}
	current.Spec = wanted.Spec
	return r.Update(ctx, &current)
}

func (r *reconciler) updateStatus(ctx context.Context, schedule *WebhookSchedule) error {
	wanted := r.template.status(schedule)
	if equality.Semantic.DeepEqual(wanted, schedule.Status) {
		return nil
	}
	schedule.Status = wanted
	return r.Status().Update(ctx, schedule)
}
